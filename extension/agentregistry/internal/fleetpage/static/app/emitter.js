// Emitter tells those who listen.
export class Emitter {
  #listeners = new Map();

  // on calls f for each event of that name until the signal aborts.
  on(name, f, signal) {
    const list = this.#listeners.get(name) ?? this.#listeners.set(name, new Set()).get(name);
    list.add(f);
    signal?.addEventListener("abort", () => list.delete(f), { once: true });
  }

  emit(name, data) {
    for (const f of [...(this.#listeners.get(name) ?? [])]) f(data);
  }
}
