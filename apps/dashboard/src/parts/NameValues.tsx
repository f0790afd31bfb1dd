import type { ReactNode } from 'react';
import styles from './NameValues.module.css';

/** Facts by name. */
export function NameValues({ values }: { values: { readonly [name: string]: ReactNode } }) {
  return (
    <dl className={styles.list}>
      {Object.entries(values).map(([name, value]) => (
        <div key={name} className={styles.line}>
          <dt className={styles.name}>{name}</dt>
          <dd className={styles.value}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
