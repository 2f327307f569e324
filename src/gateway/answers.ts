import type { Views } from "../service/index.ts";

/** Answers kept at once, and how long one may be: what is larger is mostly asked for once. */
const KEPT = 1024;
const MAXIMUM_LENGTH = 16 * 1024;

/**
 * Answers that depend on the store alone, for as long as nothing at all was committed to it. What the store says of its
 * commits is the truth, in whichever process they happened: an answer is never older than the question.
 */
export class Answers {
  readonly #answers = new Map<string, string>();
  #commits = -1;

  constructor(readonly views: Views) {}

  get(key: string): string | undefined {
    const commits = this.views.commits();
    if (commits !== this.#commits) {
      this.#answers.clear();
      this.#commits = commits;
      return undefined;
    }
    return this.#answers.get(key);
  }

  /** @param commits as it was before the answer was read */
  keep(key: string, answer: string, commits: number): void {
    if (answer.length > MAXIMUM_LENGTH || commits !== this.#commits || commits !== this.views.commits())
      return;
    if (this.#answers.size >= KEPT) this.#answers.clear();
    this.#answers.set(key, answer);
  }
}
