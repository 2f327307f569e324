/** The product's version, from package.json; the bundler folds it into the executable. */
export { version as VERSION } from "../../package.json";
