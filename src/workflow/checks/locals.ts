import type { Diagnostic } from "../diagnostic.ts";
import type { WorkflowDocument } from "../schema/index.ts";
import { ARGUMENTS, localsOf } from "../scopes.ts";
import { walkTasks } from "../walk.ts";
import { warning } from "./finding.ts";

/** The variables that tasks declare can be read, and hide no argument of the specification. */
export function* checkLocals(document: WorkflowDocument): Generator<Diagnostic> {
  for (const { task, pointer } of walkTasks(document))
    for (const name of new Set(Object.values(localsOf(task)).flat()))
      if (ARGUMENTS.includes(name))
        yield warning("reserved_name", pointer, `the variable \`${name}\` hides the argument $${name}`);
      else if (!/^[A-Za-z_]\w*$/.test(name))
        yield warning(
          "ignored",
          pointer,
          `no expression can read the variable \`${name}\``,
          name.startsWith("$") ? "write its name without `$`" : "letters, digits and _",
        );
}
