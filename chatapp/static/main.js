// The page: what each part does is in its own module; here they are put together.
import { Connection } from "./connection.js";
import { Composer } from "./composer.js";
import { Identity } from "./identity.js";
import { Messages } from "./messages.js";
import { NameForm } from "./name-form.js";
import { People } from "./people.js";
import { Unsent } from "./unsent.js";

const byId = (id) => document.getElementById(id);
const error = byId("error-container");
const chat = byId("chat");
const { socketPath, room } = document.body.dataset;

const identity = new Identity(sessionStorage);
const connection = new Connection(socketPath, room, byId("connection"), identity);
const messages = new Messages(byId("message-container"), (since) => connection.history(since));
const people = new People(byId("people-count"), byId("people-list"));
const nameForm = new NameForm(byId("name-form"), (name) => connection.setName(name));
const composer = new Composer(byId("message-form"), (message) => {
  error.textContent = "";
  unsent.add(message);
});
const unsent = new Unsent(
  byId("unsent-container"),
  sessionStorage,
  room,
  (message, key) => connection.say(message, key),
  (sentence, message) => {
    error.textContent = sentence;
    composer.giveBack(message);
  },
);
if (identity.name) nameForm.hide();

async function join() {
  let joined = await connection.join(messages.last);
  if (joined?.ok && messages.isAnotherLog(joined.epoch)) {
    messages.startAfresh();
    joined = await connection.join();
  }
  if (!joined) return; // the connection broke meanwhile; the next one joins again
  if (!joined.ok) {
    error.textContent = joined.message;
    return;
  }
  people.reset(joined.count, joined.users);
  await messages.catchUp(joined);
  unsent.send();
}

connection.on("message", (said, number) => messages.hear(said, number));
connection.on("people", (change) => {
  if (!people.apply(change)) join();
});
connection.on("named", (name) => {
  messages.own = name;
  error.textContent = "";
  nameForm.hide();
  if (chat.hidden) {
    chat.hidden = false;
    composer.focus();
  }
  join();
});
connection.on("name-refused", (sentence) => {
  identity.forget();
  error.textContent = sentence;
  nameForm.show();
});
connection.on("error", (sentence) => {
  error.textContent = sentence;
});
