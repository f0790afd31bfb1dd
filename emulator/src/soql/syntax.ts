/** A query as we work with it: what the parser library gives, with the condition as a tree and the literals as values. */

export type Literal =
  | { kind: 'string'; value: string; raw: string }
  | { kind: 'number'; value: number }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'null' }
  /** `2024-05-22` */
  | { kind: 'date'; value: string }
  /** `2024-05-22T13:05:09.000Z` */
  | { kind: 'datetime'; value: string }
  /** `LAST_N_DAYS:3` */
  | { kind: 'range'; name: string; n: number };

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'LIKE' | 'IN' | 'NOT IN' | 'INCLUDES' | 'EXCLUDES';

export type Operand =
  | { kind: 'path'; path: readonly string[]; text: string }
  | { kind: 'function'; name: string; arguments: readonly Operand[]; text: string };

export type Condition =
  | { kind: 'and' | 'or'; items: readonly Condition[] }
  | { kind: 'not'; item: Condition }
  | { kind: 'compare'; operand: Operand; operator: Operator; values: readonly Literal[] }
  | { kind: 'in-query'; operand: Operand; negated: boolean; query: Select };

export type SelectItem =
  | { kind: 'value'; operand: Operand; alias: string | undefined }
  | { kind: 'fields'; scope: 'ALL' | 'CUSTOM' | 'STANDARD' }
  | { kind: 'children'; query: Select }
  | { kind: 'typeof'; relationship: string; when: readonly { type: string | undefined; fields: readonly string[] }[] };

export interface Order {
  operand: Operand;
  descending: boolean;
  nulls: 'FIRST' | 'LAST' | undefined;
}

export interface Select {
  /** The whole query, for error messages. */
  soql: string;
  items: readonly SelectItem[];
  /** Object, or relationship in a child subquery. */
  from: string;
  alias: string | undefined;
  where: Condition | undefined;
  groupBy: readonly Operand[];
  having: Condition | undefined;
  orderBy: readonly Order[];
  limit: number | undefined;
  offset: number | undefined;
}
