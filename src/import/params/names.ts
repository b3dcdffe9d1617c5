/**
 * Names of leaves: key paths joined with "/", and the numbering of those that collide. Called by
 * the readers of parameter files and by bind.ts.
 */

/**
 * The same names, made distinct: where a name occurs again, `#1`, `#2` … is appended, in order, so
 * that `a/b`, `a/b` become `a/b`, `a/b#1`. A numbered name that exists already is passed over.
 */
export function distinctNames(names: readonly string[]): readonly string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  const repeats = new Map<string, number>();
  return names.map((name) => {
    if (!seen.has(name)) {
      seen.add(name);
      return name;
    }
    let number = (repeats.get(name) ?? 0) + 1;
    while (taken.has(`${name}#${number}`)) number++;
    repeats.set(name, number);
    taken.add(`${name}#${number}`);
    return `${name}#${number}`;
  });
}

/** A name cut at every "/", which haiku's module names contain too. */
export function splitName(name: string): readonly string[] {
  return name.split("/");
}

/** How many single-character edits lead from one text to the other; at most `limit` + 1. */
export function editDistance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) > limit) return limit + 1;
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const change = from[row - 1] === to[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + change,
        ),
      );
    }
    if (Math.min(...current) > limit) return limit + 1;
    previous = current;
  }
  return previous[to.length] ?? 0;
}

/** The candidate most like `name`, if one is like it at all: a third of its characters may differ. */
export function closestName(name: string, candidates: readonly string[]): string | undefined {
  let limit = Math.floor(name.length / 3);
  let closest: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate, limit);
    if (distance <= limit) {
      closest = candidate;
      limit = distance - 1;
    }
  }
  return closest;
}
