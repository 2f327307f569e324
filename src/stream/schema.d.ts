declare module "*.fbs" {
  const text: string;
  export default text;
}
