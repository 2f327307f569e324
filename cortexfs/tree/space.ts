import { collection, fixed, type Place, text } from "./build.ts";
import type { Directory } from "./node.ts";

/** `space/`: a read-only index over the places that hold a user's things. */
export function spaceDirectory(place: Place): Directory {
  const { engine } = place;
  return collection(place, {
    names: ({ uid }) => [...(uid === 0 ? engine.homes() : [uid]).map((home) => `home.${home}`), "shared"],
    type: () => "directory",
    private: true,
    make: (name) =>
      fixed(place, {
        context: text(place, `${name}:space:s0`),
        kind: text(place, name === "shared" ? "shared" : "home"),
        entry: text(place, name === "shared" ? "shared" : `home/${name.slice(5)}`),
      }),
  });
}
