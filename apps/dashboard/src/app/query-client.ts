import { QueryClient } from '@tanstack/react-query';
import { ApiError } from '../api/ask.ts';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What was refused is refused the next time as well; a server that is being restarted is not.
      retry: (failures, error) => !(error instanceof ApiError && error.status < 500) && failures < 2,
    },
  },
});
