import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type TestDatabase, testDatabase } from './fixture.ts';

/** Of the test file that imports it: a database of its own, from its first hook on. */
export let database: TestDatabase;
/** Of each of its tests: the name of a table that is not there yet. */
export let table: string;

let made = 0;
/** For a test that goes on with another one. */
export const anotherTable = () => {
  table = `t${++made}`;
};

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());
beforeEach(anotherTable);
