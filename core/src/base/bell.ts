/** Wakes whoever waits for it: one at a time. */
export class Bell {
  #wake: (() => void) | null = null;

  ring(): void {
    this.#wake?.();
    this.#wake = null;
  }

  heard(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
