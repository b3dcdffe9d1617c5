// Reads the fenced blocks of the documentation, with the comment before each that says what it is.

export interface Fence {
  /** `README.md:12`. */
  readonly place: string;
  readonly language: string;
  readonly lines: readonly string[];
  /** The text of the HTML comment right before the block; undefined without one. */
  readonly directive: string | undefined;
}

/** The fenced blocks of a Markdown text. */
export function fencesOf(file: string, text: string): Fence[] {
  const fences: Fence[] = [];
  const lines = text.split("\n");
  let directive: string | undefined;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const open = /^```(\w*)/.exec(line);
    if (open !== null) {
      const end = lines.indexOf("```", index + 1);
      if (end < 0) throw new Error(`${file}:${index + 1} is not closed`);
      fences.push({
        place: `${file}:${index + 1}`,
        language: open[1] ?? "",
        lines: lines.slice(index + 1, end),
        directive,
      });
      index = end;
    }
    const comment = /^<!-- (.*) -->$/.exec(line);
    if (comment !== null) directive = comment[1];
    else if (line.trim() !== "") directive = undefined;
  }
  return fences;
}

/** Addresses of the links in a Markdown text, code left out. */
export function linksOf(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "");
  return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), (match) => match[1] ?? "");
}

/** The anchors that headings make, as GitHub does. */
export function anchorsOf(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "");
  return Array.from(prose.matchAll(/^#+ (.*)$/gm), (match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Lines without the spaces that all of them begin with. */
export function dedent(lines: readonly string[]): string {
  const indents = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  const common = Math.min(...indents);
  return lines.map((line) => line.slice(common).trimEnd()).join("\n");
}

/** True if the lines occur in the text one after the other, at any indentation. */
export function containsLines(text: string, lines: readonly string[]): boolean {
  const all = text.split("\n");
  const wanted = dedent(lines);
  return all.some((_, start) => dedent(all.slice(start, start + lines.length)) === wanted);
}

/**
 * The first line of `pattern` that is not in `output`, searched in order; undefined if all are. `…`
 * stands for any text, and for any lines where it is alone.
 */
export function firstMissing(pattern: readonly string[], output: string): string | undefined {
  const lines = output.split("\n").map((line) => line.trimEnd());
  let next = 0;
  return pattern.find((wanted) => {
    const parts = wanted.trimEnd().split("…");
    if (parts.join("") === "" || wanted.trim() === "…") return false;
    const escaped = parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const expression = new RegExp(`^${escaped.join(".*")}$`);
    const found = lines.findIndex((line, index) => index >= next && expression.test(line));
    next = found + 1;
    return found < 0;
  });
}
