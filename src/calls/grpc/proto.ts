import type { Json } from "../../base/json.ts";
import type { CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { readText } from "../resource/read-document.ts";
import { Long, protobuf } from "./library.ts";

// The library looks for this package by a name that a bundler does not see; without it 64-bit integers are rounded.
protobuf.util.Long = Long;
protobuf.configure();

const MAXIMUM_FILES = 64;

/**
 * The types of a proto file and of what it imports. Google's own (`google/protobuf/…`) come from the library; any other
 * import is looked for beside the file that names it.
 */
export async function loadProto(resource: Json | undefined, scope: CallScope): Promise<protobuf.Root> {
  const root = new protobuf.Root();
  const first = await readText(resource, "proto", scope);
  const open = [first];
  const seen = new Set([first.uri]);
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const { imports = [], weakImports = [] } = parse(file.text, root);
    for (const name of [...imports, ...weakImports]) {
      const known = protobuf.common.get(name);
      if (known !== null) {
        if (!seen.has(name) && known.nested !== undefined) root.addJSON(known.nested);
        seen.add(name);
        continue;
      }
      const uri = URL.parse(name, file.uri)?.href;
      if (uri === undefined)
        throw callError("configuration", `the proto imports ${name}, which is not found from here`);
      if (seen.has(uri)) continue;
      if (seen.size === MAXIMUM_FILES)
        throw callError("configuration", `the proto imports more than ${MAXIMUM_FILES} files`);
      seen.add(uri);
      open.push(await readText({ endpoint: uri }, `proto ${name}`, scope));
    }
  }
  try {
    return root.resolveAll() as protobuf.Root;
  } catch {
    throw callError("configuration", "the proto refers to a type that it does not define");
  }
}

function parse(text: string, root: protobuf.Root): protobuf.IParserResult {
  try {
    return protobuf.parse(text, root, { keepCase: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : "";
    throw callError("configuration", `the proto does not parse: ${reason}`);
  }
}
