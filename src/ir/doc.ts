/**
 * Layout of text that breaks into lines where it does not fit: the scheme of Wadler's and Lindig's
 * pretty printers, which JAX prints jaxprs with. Called by print.ts.
 */

/** A piece of text with places where it may break. */
export type Doc =
  | string
  | { readonly kind: "concat"; readonly parts: readonly Doc[] }
  /** A place to break: `text` on one line, a newline otherwise. */
  | { readonly kind: "break"; readonly text: string }
  /** Broken everywhere or nowhere. */
  | { readonly kind: "group"; readonly content: Doc }
  /** Newlines inside are indented. */
  | { readonly kind: "nest"; readonly by: number; readonly content: Doc };

export function concat(...parts: readonly Doc[]): Doc {
  return { kind: "concat", parts };
}

export function lineBreak(text = " "): Doc {
  return { kind: "break", text };
}

export function group(content: Doc): Doc {
  return { kind: "group", content };
}

export function nest(by: number, content: Doc): Doc {
  return { kind: "nest", by, content };
}

/** Pieces with a separator between them. */
export function join(separator: Doc, pieces: readonly Doc[]): Doc {
  return concat(...pieces.flatMap((piece, index) => (index === 0 ? [piece] : [separator, piece])));
}

/** Whether a piece fits on one line of what is left. */
function fits(doc: Doc, width: number): boolean {
  let left = width;
  const open: Doc[] = [doc];
  for (let next = open.pop(); next !== undefined && left >= 0; next = open.pop()) {
    if (typeof next === "string") left -= next.length;
    else if (next.kind === "break") left -= next.text.length;
    else if (next.kind === "concat") open.push(...next.parts.toReversed());
    else open.push(next.content);
  }
  return left >= 0;
}

interface Pending {
  readonly doc: Doc;
  readonly indent: number;
  readonly isFlat: boolean;
}

/** The text, in lines of at most `width` characters where that is possible. */
export function layOut(doc: Doc, width: number): string {
  const text: string[] = [];
  let column = 0;
  const open: Pending[] = [{ doc, indent: 0, isFlat: false }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { doc: piece, indent, isFlat } = next;
    if (typeof piece === "string") {
      text.push(piece);
      column += piece.length;
      continue;
    }
    switch (piece.kind) {
      case "concat":
        open.push(...piece.parts.toReversed().map((part) => ({ doc: part, indent, isFlat })));
        break;
      case "break":
        text.push(isFlat ? piece.text : `\n${" ".repeat(indent)}`);
        column = isFlat ? column + piece.text.length : indent;
        break;
      case "group": {
        const isShort = isFlat || fits(piece.content, width - column);
        open.push({ doc: piece.content, indent, isFlat: isShort });
        break;
      }
      case "nest":
        open.push({ doc: piece.content, indent: indent + piece.by, isFlat });
        break;
    }
  }
  return text.join("").replace(/ +$/gm, "");
}
