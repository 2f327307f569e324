import { contract } from "./contract.ts";
import { notRun } from "./support.ts";

if (notRun() === undefined) contract("mount");
