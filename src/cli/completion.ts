import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { completionModel } from "./completion/model.ts";
import { zshScript } from "./completion/zsh.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description: "Completes commands, flags, and the values that a flag or argument is limited to.",
  positionals: [{ name: "shell", label: "shell", choices: ["bash", "zsh", "fish"] }],
  examples: [
    {
      command: "source <(lightflow completion bash)",
      does: "in this bash; put it into ~/.bashrc to keep it",
    },
    { command: "source <(lightflow completion zsh)", does: "the same in zsh, behind compinit" },
    {
      command: "lightflow completion fish > ~/.config/fish/completions/lightflow.fish",
      does: "for every fish from now on",
    },
  ],
} as const satisfies CommandSpec;

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  io.stdout.write(SCRIPTS[positionals.shell](await completionModel()));
  return 0;
};
