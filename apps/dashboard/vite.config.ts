import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { thirdPartyNotices } from './third-party-notices.ts';

/** Where `npm run dev` finds a Tidemark that runs. */
const api = process.env.TIDEMARK_URL ?? 'http://127.0.0.1:4600';

export default defineConfig({
  plugins: [react(), thirdPartyNotices()],
  // The manifest tells a test what is loaded with what.
  build: { emptyOutDir: true, manifest: true, target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { '/api': { target: api, changeOrigin: true } } },
});
