import { open } from "node:fs/promises";

/** As `syncDirectory`, off the thread that answers. */
export async function syncAside(directory: string): Promise<void> {
  const file = await open(directory, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
