import type { Directory, Node } from "../tree/node.ts";
import { ROOT_ID } from "./abi.ts";

/** The nodes that the kernel knows, by the numbers that it calls them by. */
export class NodeTable {
  readonly #root: Directory;
  readonly #nodes = new Map<number, Node>();

  constructor(root: Directory) {
    this.#root = root;
    this.#nodes.set(ROOT_ID, root);
  }

  get count(): number {
    return this.#nodes.size;
  }

  get(number: number): Node | undefined {
    return this.#nodes.get(number);
  }

  numberOf(node: Node): number {
    return node === this.#root ? ROOT_ID : node.ino;
  }

  /** The kernel is told of the node once more. */
  remember(node: Node): void {
    if (node.lookups++ === 0) this.#nodes.set(node.ino, node);
  }

  /** The kernel gives back so many of the times that it was told. */
  forget(number: number, times: number): void {
    const node = this.#nodes.get(number);
    if (node === undefined || number === ROOT_ID) return;
    node.lookups -= times;
    if (node.lookups <= 0) {
      node.lookups = 0;
      this.#nodes.delete(number);
    }
  }
}
