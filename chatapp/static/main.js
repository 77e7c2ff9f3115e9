// The page: what each part does is in its own module; here they are put together.
import { Connection } from "./connection.js";
import { Composer } from "./composer.js";
import { Messages } from "./messages.js";
import { NameForm } from "./name-form.js";
import { People } from "./people.js";

const byId = (id) => document.getElementById(id);
const error = byId("error-container");
const chat = byId("chat");

const connection = new Connection(document.body.dataset.socketPath, byId("connection"));
const messages = new Messages(byId("message-container"));
const people = new People(byId("people-count"), byId("people-list"));
const nameForm = new NameForm(byId("name-form"), (name) => connection.setName(name));
const composer = new Composer(byId("message-form"), (message) => connection.say(message));

connection.on("joined", ({ epoch, count, users, messages: newest }) => {
  messages.startEpoch(epoch);
  newest.forEach(([said, number]) => messages.add(said, number));
  people.reset(count, users);
});
connection.on("message", (said, number) => messages.add(said, number));
connection.on("people", (change) => {
  if (!people.apply(change)) connection.join();
});
connection.on("open", (open) => composer.enable(open));
connection.on("named", (name) => {
  messages.own = name;
  error.textContent = "";
  nameForm.hide();
  if (chat.hidden) {
    chat.hidden = false;
    messages.scrollToEnd();
    composer.focus();
  }
});
connection.on("name-refused", (sentence) => {
  error.textContent = sentence;
  nameForm.show();
});
connection.on("error", (sentence) => {
  error.textContent = sentence;
});
