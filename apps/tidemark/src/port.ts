/** Where `tidemark start` answers unless told otherwise. */
export const PORT = 4600;
