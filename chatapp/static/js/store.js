// The state of the page. Views draw what it holds; whoever changes it says so here, and all views
// follow together.
export class Store {
  #views = [];
  #waiting = false;
  #soon;

  // `soon(call)` has `call()` called before the page is painted next.
  constructor(state, soon = beforePaint) {
    this.state = state;
    this.#soon = soon;
  }

  change(make) {
    make(this.state);
    if (this.#waiting) return;
    this.#waiting = true;
    this.#soon(() => this.#tell());
  }

  // Have `view(state)` called now and after every change.
  follow(view) {
    this.#views.push(view);
    view(this.state);
  }

  #tell() {
    this.#waiting = false;
    for (const view of this.#views) view(this.state);
  }
}

// Nothing is painted in a hidden window, but its title goes on.
function beforePaint(call) {
  if (document.hidden) setTimeout(call);
  else requestAnimationFrame(call);
}
