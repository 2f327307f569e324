import { Store } from "../../src/store/store.ts";

const hasInstances = (store: Store): boolean =>
  store.read((tx) => tx.get("SELECT 1 FROM instance LIMIT 1"), null) !== undefined;

/** Whatever a test was about: the histories that it leaves in its stores fold to their snapshots. */
const close = Store.prototype.close;
Store.prototype.close = async function () {
  let failure: unknown;
  try {
    if (this.isOpen && hasInstances(this)) (await import("./replay.ts")).foldHistories(this);
  } catch (error) {
    failure = error;
  }
  await close.call(this);
  if (failure !== undefined) throw failure;
};
