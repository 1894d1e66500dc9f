import { defineConfig } from "vite";

// Three files with fixed names, so that a test can compare them with the ones that are shipped. All links are relative.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../../deployments/http/page",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: { entryFileNames: "app.js", assetFileNames: "[name][extname]", codeSplitting: false },
    },
  },
});
