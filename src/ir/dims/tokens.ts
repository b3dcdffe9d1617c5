/**
 * Splits a symbolic shape into tokens with the names that Python's tokenizer gives them (JAX
 * parses with that tokenizer, and its messages show those names). Called by parse.ts.
 */

export interface Token {
  /** Python's name of the exact token type, such as `NAME`, `STAR` or `ENDMARKER`. */
  readonly kind: string;
  readonly text: string;
  /** Index of the first character. */
  readonly offset: number;
}

/** Longest first among those with a common beginning. */
const operators: readonly (readonly [string, string])[] = [
  ["...", "ELLIPSIS"],
  ["**=", "DOUBLESTAREQUAL"],
  ["//=", "DOUBLESLASHEQUAL"],
  [">>=", "RIGHTSHIFTEQUAL"],
  ["<<=", "LEFTSHIFTEQUAL"],
  ["!=", "NOTEQUAL"],
  ["%=", "PERCENTEQUAL"],
  ["&=", "AMPEREQUAL"],
  ["**", "DOUBLESTAR"],
  ["*=", "STAREQUAL"],
  ["+=", "PLUSEQUAL"],
  ["-=", "MINEQUAL"],
  ["->", "RARROW"],
  ["//", "DOUBLESLASH"],
  ["/=", "SLASHEQUAL"],
  [":=", "COLONEQUAL"],
  ["<<", "LEFTSHIFT"],
  ["<=", "LESSEQUAL"],
  ["==", "EQEQUAL"],
  [">=", "GREATEREQUAL"],
  [">>", "RIGHTSHIFT"],
  ["@=", "ATEQUAL"],
  ["^=", "CIRCUMFLEXEQUAL"],
  ["|=", "VBAREQUAL"],
  ["%", "PERCENT"],
  ["&", "AMPER"],
  ["(", "LPAR"],
  [")", "RPAR"],
  ["*", "STAR"],
  ["+", "PLUS"],
  [",", "COMMA"],
  ["-", "MINUS"],
  [".", "DOT"],
  ["/", "SLASH"],
  [":", "COLON"],
  [";", "SEMI"],
  ["<", "LESS"],
  ["=", "EQUAL"],
  [">", "GREATER"],
  ["@", "AT"],
  ["[", "LSQB"],
  ["]", "RSQB"],
  ["^", "CIRCUMFLEX"],
  ["{", "LBRACE"],
  ["|", "VBAR"],
  ["}", "RBRACE"],
  ["~", "TILDE"],
];

const number = new RegExp(
  [
    // Imaginary and floating point numbers come first: they begin like integers.
    /(?:[0-9](?:_?[0-9])*\.(?:[0-9](?:_?[0-9])*)?|\.[0-9](?:_?[0-9])*)(?:[eE][-+]?[0-9](?:_?[0-9])*)?[jJ]?/,
    /[0-9](?:_?[0-9])*[eE][-+]?[0-9](?:_?[0-9])*[jJ]?/,
    /[0-9](?:_?[0-9])*[jJ]/,
    /0[xX](?:_?[0-9a-fA-F])+/,
    /0[bB](?:_?[01])+/,
    /0[oO](?:_?[0-7])+/,
    /0(?:_?0)*/,
    /[1-9](?:_?[0-9])*/,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "y",
);
const name = /[\p{L}_][\p{L}\p{N}_]*/uy;
const string = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y;
const comment = /#[^\n\r]*/y;

function matchAt(pattern: RegExp, text: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0];
}

/** The kind and text of the token at `offset`, which is not white space. */
function tokenAt(text: string, offset: number): readonly [kind: string, text: string] {
  const asNumber = matchAt(number, text, offset);
  if (asNumber !== undefined) return ["NUMBER", asNumber];
  const asName = matchAt(name, text, offset);
  if (asName !== undefined) return ["NAME", asName];
  const asString = matchAt(string, text, offset);
  if (asString !== undefined) return ["STRING", asString];
  const asComment = matchAt(comment, text, offset);
  if (asComment !== undefined) return ["COMMENT", asComment];
  for (const [operator, kind] of operators) {
    if (text.startsWith(operator, offset)) return [kind, operator];
  }
  return ["ERRORTOKEN", text.slice(offset, offset + 1)];
}

/** All tokens, the last one being `ENDMARKER`. Line ends outside parentheses are left out. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  let openParentheses = 0;
  let lineHasTokens = false;
  while (offset < text.length) {
    const character = text.charAt(offset);
    if (character === " " || character === "\t" || character === "\f" || character === "\r") {
      offset++;
      continue;
    }
    const isLineEnd = character === "\n";
    const [kind, tokenText] = isLineEnd ? ["NL", "\n"] : tokenAt(text, offset);
    if (!isLineEnd || openParentheses > 0 || !lineHasTokens) {
      tokens.push({ kind, text: tokenText, offset });
    }
    if ("([{".includes(tokenText)) openParentheses++;
    if (")]}".includes(tokenText)) openParentheses--;
    offset += tokenText.length;
    lineHasTokens = !isLineEnd;
  }
  tokens.push(endOf(text));
  return tokens;
}

/** The token after everything else. */
export function endOf(text: string): Token {
  return { kind: "ENDMARKER", text: "", offset: text.length };
}
