/**
 * A JSON reader for headers of files: unlike JSON.parse it refuses duplicate keys, keeps the order
 * of all keys and bounds the depth. Called by the safetensors reader.
 */

/** Parsed JSON; objects are maps, so that no key is special and order is kept. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | ReadonlyMap<string, JsonValue>;

/** What is wrong, and where: an index into the text. */
export class JsonError extends Error {
  constructor(
    message: string,
    readonly position: number,
  ) {
    super(message);
    this.name = "JsonError";
  }
}

const deepest = 32;
const spacePattern = /[ \t\n\r]*/y;
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const wordPattern = /true|false|null/y;

/**
 * Parses a whole JSON text.
 *
 * @throws JsonError for anything that is not JSON, a duplicate key, or nesting above 32 levels.
 */
export function parseStrictJson(text: string): JsonValue {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class JsonReader {
  private position = 0;

  constructor(private readonly text: string) {}

  value(depth: number): JsonValue {
    if (depth > deepest) throw this.error("nested too deeply");
    this.match(spacePattern);
    switch (this.text[this.position]) {
      case "{":
        return this.object(depth);
      case "[":
        return this.array(depth);
      case '"':
        return this.string();
      default: {
        const number = this.match(numberPattern);
        if (number !== undefined) return Number(number);
        const word = this.match(wordPattern);
        if (word === undefined) throw this.error("no JSON value");
        return word === "null" ? null : word === "true";
      }
    }
  }

  end(): void {
    this.match(spacePattern);
    if (this.position < this.text.length) throw this.error("text after the value");
  }

  private object(depth: number): ReadonlyMap<string, JsonValue> {
    const members = new Map<string, JsonValue>();
    this.position++;
    if (this.next("}")) return members;
    do {
      this.match(spacePattern);
      const start = this.position;
      const key = this.string();
      if (members.has(key)) {
        this.position = start;
        throw this.error(`the key ${JSON.stringify(key)} occurs twice`);
      }
      if (!this.next(":")) throw this.error('":" is missing');
      members.set(key, this.value(depth + 1));
    } while (this.next(","));
    if (!this.next("}")) throw this.error('"}" is missing');
    return members;
  }

  private array(depth: number): readonly JsonValue[] {
    const elements: JsonValue[] = [];
    this.position++;
    if (this.next("]")) return elements;
    do elements.push(this.value(depth + 1));
    while (this.next(","));
    if (!this.next("]")) throw this.error('"]" is missing');
    return elements;
  }

  private string(): string {
    const start = this.position;
    if (this.text[start] !== '"') throw this.error("no string");
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') {
      end += this.text[end] === "\\" ? 2 : 1;
    }
    try {
      // Escapes, control characters and a missing end are JSON.parse's business.
      const value = JSON.parse(this.text.slice(start, end + 1)) as string;
      this.position = end + 1;
      return value;
    } catch {
      throw this.error("a bad string");
    }
  }

  /** Passes over `character`, if it comes next after spaces. */
  private next(character: string): boolean {
    this.match(spacePattern);
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text)?.[0];
    this.position += match?.length ?? 0;
    return match;
  }

  private error(message: string): JsonError {
    return new JsonError(message, this.position);
  }
}
