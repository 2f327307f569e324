/** Texts that the executable carries. */
declare module "*.md" {
  const text: string;
  export default text;
}
