/**
 * Reads symbolic shapes and dimensions, in JAX's syntax and with its error messages. JAX splits
 * the text with Python's tokenizer, whose token names appear in messages. Called through
 * ../dims.ts, by the importer and by ../shapeSpec.ts.
 */
import { Jax2TfjsError } from "../errors.js";
import {
  addDims,
  exact,
  fromOperation,
  mulDims,
  negDim,
  powDim,
  variableDim,
} from "./arithmetic.js";
import { maxDim, minDim, nonNegativeDim } from "./operations.js";
import type { Dim, SymbolicScope } from "./expr.js";
import { type Token, endOf, tokenize } from "./tokens.js";

/** Sizes to fill placeholders from; null where unknown. */
export type LikeShape = readonly (Dim | null)[];

/** Parentheses and calls nested deeper than this are refused. */
const MAX_DEPTH = 100;

const followShape = ["ENDMARKER", "RPAR"];
const followExpr = [...followShape, "COMMA"];
const followTerm = [...followExpr, "PLUS", "MINUS"];

/** Text as Python's repr shows it. */
export function pythonRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replace(/\\/g, "\\\\")
    .replace(/\n/g, "\\n")
    .replace(/\r/g, "\\r")
    .replace(/\t/g, "\\t");
  return quote + (quote === "'" ? escaped.replace(/'/g, "\\'") : escaped) + quote;
}

function printLike(like: LikeShape | undefined): string {
  if (like === undefined) return "None";
  const dims = like.map((dim) => (dim === null ? "None" : dim.toString()));
  return `(${dims.join(", ")}${dims.length === 1 ? "," : ""})`;
}

/** Long texts are cut in messages. */
const MAX_QUOTED = 1000;

function clip(text: string): string {
  return text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED)}…`;
}

/** Shows a character of a text: its number, and below it the text (around it) and a mark. */
function pointAt(text: string, offset: number): string {
  const start = Math.max(0, offset - 60);
  const shown = text.slice(start, start + 100).replace(/\s/g, " ");
  return `character ${offset + 1}\n        ${shown}\n        ${" ".repeat(offset - start)}^`;
}

/** One shape being read, by recursive descent. */
class ShapeParser {
  private readonly tokens: readonly Token[];
  private position = 0;
  private depth = 0;
  /** Where the factor or exponent that was read last begins. */
  private operandOffset = 0;
  private readonly dimensions: Dim[] = [];

  constructor(
    private readonly text: string,
    private readonly description: string,
    private readonly like: LikeShape | undefined,
    private readonly scope: SymbolicScope,
  ) {
    this.tokens = tokenize(text);
  }

  parse(): Dim[] {
    try {
      const shape = this.shape();
      this.expect(["ENDMARKER"]);
      return shape;
    } catch (error) {
      if (!(error instanceof Jax2TfjsError) || error.details.source !== undefined) throw error;
      // An error of arithmetic, in the part just read.
      const source = pointAt(this.text, this.operandOffset);
      throw new Jax2TfjsError(error.code, error.message, { ...error.details, source });
    }
  }

  private get token(): Token {
    const token = this.tokens[this.position];
    // The end marker, which no rule reads past, is the last.
    return token ?? endOf(this.text);
  }

  private error(detail: string, offset = this.token.offset): Jax2TfjsError {
    const [before, after] = this.splitLine();
    return new Jax2TfjsError(
      "dimension-syntax",
      `syntax error in symbolic shape ${clip(this.description)} ` +
        `in dimension ${this.dimensions.length}: ${detail}. ` +
        `Parsed '${clip(before)}', remaining '${clip(after)}'.`,
      { source: pointAt(this.text, offset) },
    );
  }

  /** The line of the current token, before it and from it on; at the end, nothing. */
  private splitLine(): [before: string, after: string] {
    const { kind, offset } = this.token;
    if (kind === "ENDMARKER") return ["", ""];
    const start = offset === 0 ? 0 : this.text.lastIndexOf("\n", offset - 1) + 1;
    const end = this.text.indexOf("\n", offset);
    const after = this.text.slice(offset, end < 0 ? this.text.length : end + 1);
    return [this.text.slice(start, offset), after];
  }

  private expect(kinds: readonly string[]): void {
    const { kind } = this.token;
    if (kinds.includes(kind)) return;
    throw this.error(`expecting one of {${kinds.join(", ")}} but found ${kind}`);
  }

  private consume(kind: string): void {
    this.expect([kind]);
    this.position++;
  }

  private nested<T>(read: () => T): T {
    if (++this.depth > MAX_DEPTH) throw this.error("nested too deeply");
    const result = read();
    this.depth--;
    return result;
  }

  /** A comma-separated list of dimensions, perhaps in parentheses, perhaps ended by `...`. */
  private shape(): Dim[] {
    if (this.token.kind === "LPAR") {
      this.position++;
      const inner = this.nested(() => this.shape());
      this.consume("RPAR");
      return inner;
    }
    while (!followShape.includes(this.token.kind)) {
      const { kind, text, offset } = this.token;
      if (kind === "ELLIPSIS") {
        const like = this.likeForPlaceholder(this.dimensions.length);
        for (const dim of like.slice(this.dimensions.length)) this.addDimension(dim, offset);
        this.position++;
        break;
      }
      if (kind === "NAME" && text === "_") {
        const like = this.likeForPlaceholder(this.dimensions.length + 1);
        const dim = like[this.dimensions.length] ?? null;
        this.position++;
        this.addDimension(dim, offset);
      } else {
        this.addDimension(this.expr(), offset);
      }
      if (followShape.includes(this.token.kind)) break;
      this.consume("COMMA");
    }
    return this.dimensions;
  }

  private likeForPlaceholder(neededLength: number): LikeShape {
    if (this.like === undefined) {
      throw this.error("spec contains ... but no 'like' shape was given");
    }
    if (this.like.length < neededLength) {
      throw this.error(
        `cannot resolve placeholder '${this.token.text}' because we parsed ` +
          `${this.dimensions.length} already and 'like' shape has ` +
          `only ${this.like.length} dimensions`,
      );
    }
    return this.like;
  }

  /** JAX's message shows the token after the dimension; we point at the dimension. */
  private addDimension(dim: Dim | null, offset: number): void {
    if (dim === null) {
      throw this.error(
        `unexpected placeholder for unknown dimension; like=${printLike(this.like)}`,
        offset,
      );
    }
    if (typeof dim === "number" && this.like !== undefined) {
      // Where `like` has no dimension at all, JAX fails with an IndexError.
      if (this.like[this.dimensions.length] !== dim) {
        const detail = `different size ${dim} for known dimension; like=${printLike(this.like)}`;
        throw this.error(detail, offset);
      }
    }
    this.dimensions.push(dim);
  }

  /** A sum of terms. */
  private expr(): Dim {
    let negated = this.token.kind === "MINUS";
    if (negated || this.token.kind === "PLUS") this.position++;
    let sum: Dim = 0;
    for (;;) {
      const term = this.term();
      sum = addDims(sum, negated ? negDim(term) : term);
      if (followExpr.includes(this.token.kind)) return sum;
      negated = this.token.kind === "MINUS";
      this.expect(["PLUS", "MINUS"]);
      this.position++;
    }
  }

  /** A product of factors, each perhaps to an integer power. */
  private term(): Dim {
    let product: Dim = 1;
    for (;;) {
      let factor = this.factor();
      if (this.token.kind === "CIRCUMFLEX") {
        this.position++;
        this.operandOffset = this.token.offset;
        factor = powDim(factor, this.integer());
      }
      product = mulDims(product, factor);
      if (followTerm.includes(this.token.kind)) return product;
      this.consume("STAR");
    }
  }

  private factor(): Dim {
    const { kind, text, offset } = this.token;
    this.operandOffset = offset;
    if (kind === "NAME") {
      this.position++;
      return this.variableOrOperation(text);
    }
    if (kind === "MINUS") {
      this.position++;
      return negDim(this.integer());
    }
    this.expect(["NAME", "MINUS", "NUMBER"]);
    return this.integer();
  }

  private integer(): number {
    this.expect(["NUMBER"]);
    const { text } = this.token;
    if (!/^[0-9]+(_[0-9]+)*$/.test(text)) throw this.error(`expecting integer, found ${text}`);
    const value = exact(Number(text.replaceAll("_", "")));
    this.position++;
    return value;
  }

  private variableOrOperation(name: string): Dim {
    switch (name) {
      case "floordiv":
      case "mod": {
        const [left, right] = this.operands();
        return fromOperation(name, left, right, this.scope);
      }
      case "max":
        return maxDim(...this.operands());
      case "min":
        return minDim(...this.operands());
      case "non_negative":
        // What JAX before 0.4.27 wrote for max(e, 0); a plain name since.
        if (this.token.kind !== "LPAR") return variableDim(name, this.scope);
        return this.nested(() => {
          this.consume("LPAR");
          const operand = this.expr();
          this.consume("RPAR");
          return nonNegativeDim(operand);
        });
      default:
        return variableDim(name, this.scope);
    }
  }

  private operands(): [Dim, Dim] {
    return this.nested(() => {
      this.consume("LPAR");
      const left = this.expr();
      this.consume("COMMA");
      const right = this.expr();
      this.consume("RPAR");
      return [left, right];
    });
  }
}

/**
 * The dimensions of a shape specification such as `(b, 2*b, floordiv(n, 2))`; parentheses are
 * optional, `_` and a final `...` stand for sizes of `like`.
 *
 * @param description how messages quote the text
 * @throws Jax2TfjsError `dimension-syntax` with JAX's message
 */
export function parseShape(
  text: string,
  scope: SymbolicScope,
  like?: LikeShape,
  description: string = pythonRepr(text),
): Dim[] {
  return new ShapeParser(text, description, like, scope).parse();
}

/**
 * One dimension expression, as JAX prints it.
 *
 * @throws Jax2TfjsError `dimension-syntax`
 */
export function parseDim(text: string, scope: SymbolicScope): Dim {
  const dims = parseShape(text, scope);
  const [dim] = dims;
  if (dim === undefined || dims.length !== 1) {
    throw new Jax2TfjsError(
      "dimension-syntax",
      `${pythonRepr(text)} has ${dims.length} dimensions where one is expected.`,
    );
  }
  return dim;
}
