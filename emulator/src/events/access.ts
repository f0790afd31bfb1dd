/** What a user may see and do, as far as events ask. */
export interface EventAccess {
  /** Field-level security: a field that is hidden from the user is not delivered. */
  canSeeField(userId: string, object: string, field: string): boolean;
  /** View All on the object: what subscribing to its change events takes. Sharing does not matter. */
  canReadAll(userId: string, object: string): boolean;
  /** Read and Create on a platform event: subscribing and publishing. */
  canRead(userId: string, object: string): boolean;
  canCreate(userId: string, object: string): boolean;
}

export const fullAccess: EventAccess = {
  canSeeField: () => true,
  canReadAll: () => true,
  canRead: () => true,
  canCreate: () => true,
};
