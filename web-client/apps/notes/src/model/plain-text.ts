/** The words of a body, out of the tree that the editor keeps them in. */

const mostCharacters = 200;

/** As much of the text as a list shows, its blocks apart by spaces. */
export function plainTextOf(node: unknown): string {
  const words: string[] = [];
  collect(node, words);
  return words.join(" ").slice(0, mostCharacters);
}

function collect(node: unknown, words: string[]): void {
  if (typeof node === "string") {
    words.push(node);
  } else if (Array.isArray(node)) {
    for (const child of node) {
      collect(child, words);
    }
  } else if (typeof node === "object" && node !== null && "children" in node) {
    collect(node.children, words);
  }
}
