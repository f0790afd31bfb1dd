import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { OperationShape } from '@tidemark/core/api';
import { ApiError, ask } from './ask.ts';

interface Action<Given> {
  /** What was done, in the past. */
  readonly done: string;
  readonly send: (given: Given) => Promise<unknown>;
  /** Names of what has to be looked at again. */
  readonly changes: readonly (readonly unknown[])[];
}

/** Something that somebody asks for with a button: says that it was done, or why it was not. */
export function useAction<Given = void>({ done, send, changes }: Action<Given>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: send,
    onSuccess: () => notifications.show({ message: done, color: 'green' }),
    onError: (error) => tellError(error),
    onSettled: () => Promise.all(changes.map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}

export function tellError(error: unknown): void {
  const hint = error instanceof ApiError ? error.hint : undefined;
  const message = error instanceof Error ? error.message : String(error);
  notifications.show({ title: message, message: hint ?? '', color: 'red', autoClose: 12_000 });
}

const LOOK_MS = 400;

/** Waits for work that goes on by itself. @throws {ApiError} it failed */
export async function outcomeOf(begun: OperationShape): Promise<OperationShape> {
  let now = begun;
  while (now.state === 'running') {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    now = await ask<OperationShape>(`/operations/${now.id}`);
  }
  if (now.error !== null) throw new ApiError(422, now.error);
  return now;
}
