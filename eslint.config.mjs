// The configuration of ESLint for all JavaScript (`make lint`). Its packages are in tests/node_modules.
import { createRequire } from "node:module";

const require = createRequire(new URL("tests/package.json", import.meta.url));
const js = require("@eslint/js");
const { defineConfig, globalIgnores } = require("eslint/config");
const globals = require("globals");

// Properties that parse text as HTML. The page makes nodes with dom.js instead, so that text is never
// markup.
const HTML_PROPERTIES = ["innerHTML", "outerHTML", "srcdoc", "insertAdjacentHTML", "setHTMLUnsafe", "createContextualFragment"];
// Globals of the window that a typo or a missing variable would use by accident.
const CONFUSING_GLOBALS = ["close", "event", "length", "name", "open", "origin", "parent", "print", "scroll", "self", "status", "stop", "top"];

const RESTRICTED_SYNTAX = [
  { selector: "NewExpression[callee.name='DOMParser']", message: "Text must never be markup: make nodes with dom.js." },
  { selector: "ForInStatement", message: "Use Object.entries, which has no inherited keys." },
];
const MUTATED_ROOM = "AssignmentExpression:matches([left.object.name='room'], [left.object.property.name='room'])";

export default defineConfig([
  globalIgnores(["chatapp/static/vendor/", "**/node_modules/", ".venv*/", "build/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" } },
  js.configs.recommended,
  {
    rules: {
      "array-callback-return": "error",
      "default-case-last": "error",
      eqeqeq: "error",
      "no-constructor-return": "error",
      "no-duplicate-imports": "error",
      "no-else-return": ["error", { allowElseIf: true }],
      "no-eval": "error",
      "no-extend-native": "error",
      "no-implicit-coercion": ["error", { boolean: true, number: true, string: true }],
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-param-reassign": "error",
      "no-restricted-properties": [
        "error",
        ...HTML_PROPERTIES.map((property) => ({ property, message: "Text must never be markup: make nodes with dom.js." })),
        { object: "document", property: "write", message: "Text must never be markup: make nodes with dom.js." },
        { object: "document", property: "writeln", message: "Text must never be markup: make nodes with dom.js." },
      ],
      "no-restricted-syntax": ["error", ...RESTRICTED_SYNTAX],
      "no-self-compare": "error",
      "no-shadow": "error",
      "no-template-curly-in-string": "error",
      "no-throw-literal": "error",
      "no-unreachable-loop": "error",
      "no-unused-expressions": "error",
      "no-unused-vars": ["error", { args: "after-used", caughtErrors: "all", ignoreRestSiblings: true }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-useless-computed-key": "error",
      "no-useless-concat": "error",
      "no-useless-rename": "error",
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-object-has-own": "error",
      "prefer-promise-reject-errors": "error",
      "prefer-rest-params": "error",
      "prefer-spread": "error",
      "prefer-template": "error",
      radix: "error",
      "symbol-description": "error",
    },
  },
  {
    files: ["chatapp/static/js/**/*.js"],
    languageOptions: { sourceType: "module", globals: globals.browser },
    rules: { "no-restricted-globals": ["error", ...CONFUSING_GLOBALS], "no-script-url": "error" },
  },
  {
    files: ["chatapp/static/js/views/*.js"],
    rules: {
      "no-restricted-syntax": [
        "error",
        ...RESTRICTED_SYNTAX,
        { selector: MUTATED_ROOM, message: "A view reads a room; changes go through store.change (rooms.js)." },
      ],
    },
  },
  { files: ["chatapp/static/js/appearance.js"], languageOptions: { sourceType: "script" } },
  { files: ["*.mjs", "tests/**/*.mjs", "bench/**/*.mjs"], languageOptions: { globals: globals.node } },
  {
    files: ["tests/browser/oldest/*.js"], // written for old browsers
    languageOptions: { ecmaVersion: 5, sourceType: "script", globals: { ...globals.browser, io: "readonly" } },
    rules: { "no-var": "off", "object-shorthand": "off", "prefer-template": "off" },
  },
  { files: ["bench/servers/bun.mjs"], languageOptions: { globals: globals.bunBuiltin } },
]);
