import { DatabaseSync } from 'node:sqlite';
import type { Life } from '@tidemark/testkit/simulation';
import { Wrong } from '../lib/outcome.ts';
import { TargetFile } from '../live/target-file.ts';

interface Kept {
  readonly epoch: number;
  readonly checkpoint: string | null;
}

/** A target that is written by many, and an eye on it that sees who does: of each unit, whoever raised its epoch last and nobody else. */
export class OwnedTarget extends TargetFile {
  readonly #kept = new Map<string, Kept & { readonly owner: Life }>();
  #watcher: DatabaseSync | null = null;
  /** Whether this life may take the unit over now. */
  mayTakeOver: (checkpoint: string, life: Life) => boolean = () => true;
  /** What a former owner has done, if anything. */
  wrong: Wrong | null = null;
  /** Units that came into other hands. */
  takeOvers = 0;

  override async close(): Promise<void> {
    this.#watcher?.close();
    await super.close();
  }

  protected override hasDone(life: Life): void {
    this.#watcher ??= new DatabaseSync(this.path, { timeout: 0 });
    const isMade = this.#watcher.prepare("SELECT 1 FROM sqlite_schema WHERE name = '_tidemark_checkpoints'").get();
    if (isMade === undefined) return;
    const rows = this.#watcher.prepare('SELECT unit, epoch, checkpoint FROM _tidemark_checkpoints').all();
    for (const { unit, epoch, checkpoint } of rows as unknown as (Kept & { unit: string })[]) {
      const known = this.#kept.get(unit);
      if (known?.epoch === epoch && known.checkpoint === checkpoint) continue;
      if (known?.epoch === epoch && known.owner !== life) {
        this.wrong ??= new Wrong(
          `${unit} has two effective owners (P11): ${life.name} wrote, and ${known.owner.name} has taken it over`,
        );
      }
      if (known?.epoch !== epoch && !this.mayTakeOver(unit, life)) {
        this.wrong ??= new Wrong(`${life.name} has taken ${unit} over, which it does not own (P11)`);
      }
      const owner = known?.epoch === epoch ? known.owner : life;
      if (known !== undefined && owner !== known.owner) this.takeOvers++;
      this.#kept.set(unit, { epoch, checkpoint, owner });
    }
  }
}
