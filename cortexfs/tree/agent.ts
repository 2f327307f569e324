import { isShortName } from "../exchange/providers.ts";
import { errno } from "../fuse/errno.ts";
import { collection, fixed, type Place, setting, text } from "./build.ts";
import { exchange } from "./home.ts";
import type { Directory } from "./node.ts";

/** `agent/`: instructions, a model and allowed tools under a name. Tasks go through its inbox, each caller's own. */
export function agentDirectory(place: Place): Directory {
  const { engine } = place;
  return collection(
    place,
    {
      names: () => engine.settings.children("agent"),
      type: () => "directory",
      has: (name) => engine.settings.hasChild("agent", name),
      make: (name) => oneAgent(place, name),
      mkdir: (name, caller) => {
        if (!isShortName(name)) throw errno("EINVAL");
        engine.audit.add({ event: "configured", ...caller, name: `agent/${name}` });
        return engine.settings.set(`agent/${name}/profile/name`, name);
      },
      rmdir: (name) => engine.settings.remove(`agent/${name}`),
    },
    {},
    0o755,
  );
}

function oneAgent(place: Place, id: string): Directory {
  const base = `agent/${id}`;
  return fixed(
    place,
    {
      context: text(place, `system:agent:${id}:s0`),
      profile: fixed(place, {
        name: setting(place, `${base}/profile/name`, { initial: id }),
        description: setting(place, `${base}/profile/description`),
        system_prompt: setting(place, `${base}/profile/system_prompt`),
        model: fixed(place, { model: setting(place, `${base}/profile/model/model`) }),
      }),
      policy: fixed(place, { allowed_tools: setting(place, `${base}/policy/allowed_tools`) }),
      ...exchange(place, `agent/${id}`, undefined),
    },
    0o755,
  );
}
