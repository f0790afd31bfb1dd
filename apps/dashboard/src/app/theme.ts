import { Alert, Anchor, type CSSVariablesResolver, createTheme, Notification } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'blue',
  // Words on colours have to be read: the lighter shades are for surfaces.
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  respectReducedMotion: true,
  components: {
    // A title on its own tint would be too faint.
    Alert: Alert.extend({ styles: { title: { color: 'var(--mantine-color-text)' } } }),
    // A link among words is told from them by more than its colour.
    Anchor: Anchor.extend({ defaultProps: { underline: 'always' } }),
    Notification: Notification.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'dismiss' } } }),
  },
  cursorType: 'pointer',
  defaultRadius: 'md',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
});

/** What is less important is still to be read: these are the shades that stand out enough from their grounds. */
export const colors: CSSVariablesResolver = ({ colors: { gray, dark } }) => ({
  variables: {},
  light: { '--mantine-color-dimmed': gray[7], '--mantine-color-placeholder': gray[7] },
  dark: { '--mantine-color-dimmed': dark[1], '--mantine-color-placeholder': dark[1] },
});
