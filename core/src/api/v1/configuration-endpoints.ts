import { z } from 'zod';
import { type ApiEndpoint, refusals } from './endpoint.ts';
import { configuration as shape, verdict } from './shapes/configuration.ts';

const text = z.string().max(1_000_000).describe('YAML');

/** The file that the process runs by (000-8). */
export const configurationEndpoints: ApiEndpoint = (api, { configuration }) => {
  const common = { config: { role: 'admin' } } as const;
  const tags = ['configuration'];
  api.get(
    '/configuration',
    { ...common, schema: { summary: 'The file, with secrets masked', tags, response: { 200: shape, ...refusals } } },
    () => configuration.read(),
  );
  api.post(
    '/configuration/check',
    {
      ...common,
      schema: {
        summary: 'What is wrong with a text, and what it would change. Nothing is contacted',
        tags,
        body: z.object({ text }).strict(),
        response: { 200: verdict, ...refusals },
      },
    },
    ({ body }) => configuration.check(body.text),
  );
  api.put(
    '/configuration',
    {
      ...common,
      schema: {
        summary: 'Take a text over: it is written to the file, and the process runs by it. One with errors changes nothing',
        tags,
        body: z.object({ text, version: z.string().describe('of the text that was edited') }).strict(),
        response: { 200: verdict, ...refusals },
      },
    },
    ({ body }) => configuration.takeOver(body.text, body.version),
  );
};
