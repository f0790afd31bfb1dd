import { ConfigError } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { postgresConfig } from './config.ts';
import { driverConfig } from './connect.ts';

const context = { connection: 'app', baseDir: '.' };
const settings = (url: string, more: object = {}) =>
  driverConfig(postgresConfig.parse({ url, ...more }), context) as { [name: string]: unknown };

describe('connection settings', () => {
  test('a host that is not this machine is spoken to in verified TLS unless the url says otherwise', () => {
    expect(settings('postgres://u:p@db.example.com/app').ssl).toMatchObject({ checkServerIdentity: expect.any(Function) });
    expect(settings('postgres://u:p@db.example.com/app').ssl).not.toHaveProperty('rejectUnauthorized', false);
    expect(settings('postgres://u:p@db.example.com/app?sslmode=disable').ssl).toBe(false);
    expect(settings('postgres://u:p@db.example.com/app?sslmode=require').ssl).toMatchObject({ rejectUnauthorized: false });
    for (const local of ['localhost', '127.0.0.1', '[::1]']) expect(settings(`postgres://u:p@${local}/app`).ssl).toBe(false);
  });

  test('parts of the url are decoded', () => {
    expect(settings('postgres://u%40x:p%2Fq@localhost:5433/my%20db?application_name=nightly')).toMatchObject({
      host: 'localhost',
      port: 5433,
      user: 'u@x',
      password: 'p/q',
      database: 'my db',
      application_name: 'nightly',
    });
    expect(settings('postgres:///app?host=/run/postgresql')).toMatchObject({ host: '/run/postgresql', ssl: false });
  });

  test.each([
    ['postgres://u:hush-hush@[bad/app', {}],
    ['postgres://u:hush-hush@localhost/app?sslmode=sometimes', {}],
    ['postgres://u:hush-hush@db.example.com/app', { ca: 'no-such-file.pem' }],
  ])('%s is refused without repeating the password (P10)', (url, more) => {
    let message = '';
    try {
      settings(url, more);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      message = String((error as Error).message);
    }
    expect(message).toContain('connections.app');
    expect(message).not.toContain('hush');
  });
});
