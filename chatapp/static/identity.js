// The name that this window goes by, and the token that takes it back; both outlive a reload.
const PLACE = "chat.identity";

export class Identity {
  name = "";
  token = "";

  constructor(storage) {
    this.storage = storage;
    Object.assign(this, JSON.parse(storage.getItem(PLACE) ?? "{}"));
  }

  // The token goes along with whatever name is asked for: if it doesn't fit, it is ignored.
  ask(name) {
    this.name = name;
  }

  given(name, token) {
    this.name = name;
    this.token = token;
    this.storage.setItem(PLACE, JSON.stringify({ name, token }));
  }

  forget() {
    this.name = "";
    this.storage.removeItem(PLACE);
  }
}
