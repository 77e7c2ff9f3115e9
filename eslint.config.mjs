// tests/node_modules/.bin/eslint -c eslint.config.mjs . ; its packages are those of tests/.
import { createRequire } from "node:module";

const require = createRequire(new URL("tests/package.json", import.meta.url));
const js = require("@eslint/js");
const { defineConfig, globalIgnores } = require("eslint/config");
const globals = require("globals");

// What makes HTML of text: nodes are made by dom.js, so that text stays text.
const HTML_OF_TEXT = ["innerHTML", "outerHTML", "srcdoc", "insertAdjacentHTML", "setHTMLUnsafe", "createContextualFragment"];
// Of the window, and easily meant for a variable that was forgotten.
const MEANT_FOR_A_VARIABLE = ["close", "event", "length", "name", "open", "origin", "parent", "print", "scroll", "self", "status", "stop", "top"];

const RESTRICTED_SYNTAX = [
  { selector: "NewExpression[callee.name='DOMParser']", message: "Text stays text: make nodes (dom.js)." },
  { selector: "ForInStatement", message: "Object.entries has no inherited keys." },
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
        ...HTML_OF_TEXT.map((property) => ({ property, message: "Text stays text: make nodes (dom.js)." })),
        { object: "document", property: "write", message: "Text stays text: make nodes (dom.js)." },
        { object: "document", property: "writeln", message: "Text stays text: make nodes (dom.js)." },
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
    rules: { "no-restricted-globals": ["error", ...MEANT_FOR_A_VARIABLE], "no-script-url": "error" },
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
    files: ["tests/browser/oldest/*.js"], // of its time
    languageOptions: { ecmaVersion: 5, sourceType: "script", globals: { ...globals.browser, io: "readonly" } },
    rules: { "no-var": "off", "object-shorthand": "off", "prefer-template": "off" },
  },
  { files: ["bench/servers/bun.mjs"], languageOptions: { globals: globals.bunBuiltin } },
]);
