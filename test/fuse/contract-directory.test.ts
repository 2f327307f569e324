import { contract } from "./contract.ts";

contract("directory");
