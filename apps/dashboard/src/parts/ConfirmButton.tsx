import { Button, type ButtonProps, Group, Popover, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';

interface ConfirmButtonProps extends Pick<ButtonProps, 'size' | 'color' | 'disabled' | 'loading'> {
  readonly label: string;
  readonly question: string;
  /** The word on the button that does it. */
  readonly confirm: string;
  readonly icon?: ReactNode;
  readonly onConfirm: () => void;
}

/** A button that asks before it does something that cannot be taken back, or costs. */
export function ConfirmButton({ label, question, confirm, icon, onConfirm, ...button }: ConfirmButtonProps) {
  const [opened, { toggle, close }] = useDisclosure();
  const { size = 'sm', color = 'blue' } = button;
  return (
    <Popover opened={opened} onDismiss={close} trapFocus returnFocus width={300} withArrow shadow="md">
      <Popover.Target>
        <Button
          variant="default"
          leftSection={icon}
          onClick={toggle}
          size={size}
          disabled={button.disabled ?? false}
          loading={button.loading ?? false}
        >
          {label}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={label}>
        <Stack gap="sm">
          <Text size="sm">{question}</Text>
          <Group gap="xs">
            <Button
              size={size}
              color={color}
              onClick={() => {
                close();
                onConfirm();
              }}
            >
              {confirm}
            </Button>
            <Button size={size} variant="default" onClick={close}>
              Cancel
            </Button>
          </Group>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
