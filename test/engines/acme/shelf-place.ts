/** What tests of the shelf and the process they kill have to agree on. */
export const DIRECTORY = 'https://acme.example.org/directory'
export const HOST = 'gw.example'
