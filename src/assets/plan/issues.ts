import type { WorkflowStepDef } from "../definition/types.ts";
import type { Components, PlanIssue } from "./types.ts";

const FORMAT_OF_TEMPLATE = {
  openai_chat_prompt: "openai.chat",
  openai_responses_prompt: "openai.responses",
  anthropic_messages_prompt: "anthropic.messages",
  google_generate_content_prompt: "google.generate_content",
} as const;

const fileName = (id: string): string =>
  id.replace(/^(?:node|composition|workflow|llm)\./, "").replaceAll(".", "_");

/** What is wrong with a plan, each thing said once. */
export class PlanIssues {
  readonly found: PlanIssue[] = [];
  readonly #workflow: string;
  readonly #components: Components;

  constructor(workflow: string, components: Components) {
    this.#workflow = workflow;
    this.#components = components;
  }

  /** Whether a node or composition stands under this id; one that does not is noted. */
  known(asset: string, shown: string, fatal: boolean): boolean {
    const kind = this.#components.get(asset)?.record.meta.kind;
    if (kind === "node" || kind === "composition") return true;
    this.add(
      "node_missing",
      shown,
      `workflow ${this.#workflow} step ${shown} references missing node or composition asset ${asset}`,
      `write lightflow/nodes/${fileName(asset)}.ts: lightflow new node ${asset}`,
      fatal,
    );
    return false;
  }

  /** @param aliases that something requires; those without a model are noted */
  checkModels(aliases: readonly string[], shown: string | null): void {
    for (const alias of new Set(aliases)) {
      if (this.#components.get(alias)?.record.meta.kind === "model") continue;
      this.add(
        "model_missing",
        shown,
        `workflow ${this.#workflow} requires missing model asset ${alias}`,
        `write lightflow/models/${fileName(alias)}.ts: lightflow new model ${alias}`,
        false,
      );
    }
  }

  /** @param models that a request template may name here */
  checkTemplate(step: WorkflowStepDef, models: readonly string[], shown: string): void {
    const { request, target } = step;
    if (request === undefined || request.kind === "json") return;
    if (!models.includes(request.model_alias)) {
      this.add(
        "model_missing",
        shown,
        `request template model alias ${request.model_alias} is not listed in required_models`,
        `add .requiredModel(${JSON.stringify(request.model_alias)})`,
        false,
      );
    }
    const format = target.kind === "api" ? target.format : "";
    const wanted = FORMAT_OF_TEMPLATE[request.kind];
    if (format === wanted) return;
    this.add(
      "step_unsupported",
      shown,
      `request template for step ${step.step_id} requires an ${wanted} API target`,
      `write apiStep(${JSON.stringify(step.step_id)}, …, ${JSON.stringify(wanted)})`,
      false,
    );
  }

  add(code: PlanIssue["code"], step: string | null, message: string, hint: string, fatal = true): void {
    if (!this.found.some((known) => known.message === message)) {
      this.found.push({ code, step, message, hint, fatal });
    }
  }
}
