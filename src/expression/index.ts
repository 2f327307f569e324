export {
  type Budget,
  compileProgram,
  DEFAULT_BUDGET,
  type Program,
  type RunOptions,
} from "./program.ts";
export {
  compileExpression,
  compileTemplate,
  type Evaluate,
  type ExpressionMode,
  type ExpressionOptions,
  isConstant,
  isExpression,
  partialExpression,
  type TemplateOptions,
} from "./runtime.ts";
