/** An error of the OAuth endpoints: an object, where data resources answer an array. */
export class OAuthError extends Error {
  readonly error: string;
  readonly httpStatus: number;
  constructor(error: string, description: string, httpStatus = 400) {
    super(description);
    this.name = 'OAuthError';
    this.error = error;
    this.httpStatus = httpStatus;
  }
}
