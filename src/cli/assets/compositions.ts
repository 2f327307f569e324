import { assetsCommand } from "./list.ts";

export const { spec, run } = assetsCommand("compositions");
