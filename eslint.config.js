import tseslint from "typescript-eslint";
import jest from "eslint-plugin-jest";
import prettier from "eslint-config-prettier/flat";
import { defineConfig, globalIgnores } from "eslint/config";

export default defineConfig(
  globalIgnores(["**/dist/", "coverage/"]),
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: {
          allowDefaultProject: [
            "*.js",
            "bin/*.js",
            "sdk/*.js",
            "build/*.js",
            "examples/*/*.js",
            ".dependency-cruiser.cjs",
          ],
        },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "max-lines": ["error", { max: 300 }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      "max-params": ["error", 4],
      complexity: ["error", 12],
      "no-console": "error",

      "no-restricted-syntax": [
        "error",
        {
          selector: "ExportDefaultDeclaration",
          message: "Name what you export: a reader finds it by its name.",
        },
        {
          selector: "NewExpression[callee.name='Error']",
          message: "Throw a GatewayError with a code from src/errors.ts.",
        },
      ],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/config/**", "src/main/**", "src/cli/main.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "process", property: "env", message: "Settings are read once, in src/config." },
      ],
    },
  },
  {
    files: ["tests/**/*.ts"],
    extends: [jest.configs["flat/recommended"], jest.configs["flat/style"]],
    rules: {
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": "off",
      "no-restricted-syntax": "off",
      "jest/no-restricted-jest-methods": [
        "error",
        { mock: "Pass a fake through createX({…}) instead of replacing a module." },
      ],
      "jest/expect-expect": "off",
    },
  },
  {
    files: ["tests/**/conformance.ts", "tests/**/conformance/*.ts", "tests/support/**/*.ts"],
    rules: { "jest/no-export": "off", "jest/valid-title": "off" },
  },
  {
    files: ["tests/support/**"],
    rules: {
      "jest/no-export": "off",
      "jest/valid-title": "off",
      "jest/valid-describe-callback": "off",
      "jest/no-disabled-tests": "off",
    },
  },
  {
    files: ["bench/**/*.ts"],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    files: ["*.js", "bin/*.js", "sdk/*.js", "build/*.js", "examples/**/*.js", ".*.cjs", "**/*.mjs"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    // Types are JSDoc's there, checked by `tsc -p console`; what comes by fetch is of any.
    files: ["console/*.js"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: {
      "no-restricted-globals": [
        "error",
        ...["eval", "localStorage", "sessionStorage", "process", "Buffer"].map((name) => ({
          name,
          message: "Not in the console.",
        })),
      ],
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML", "setHTMLUnsafe"].map((property) => ({
          property,
          message: "An event is hostile: show it as text, by dom.js.",
        })),
      ],
      "no-restricted-syntax": "off",
    },
  },
  prettier,
);
