/**
 * The credentials of a deployment in development mode, as its documentation names them.
 */
export const DEVELOPMENT_KEY = "ck_dev_contextplane";
export const DEVELOPMENT_ADMIN_TOKEN = "dev-admin-token";
