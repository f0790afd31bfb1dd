import { z } from 'zod';

/** The topic of one event, as `from` and `to` name it. */
export const topicName = z
  .string()
  .regex(/^\/event\/[A-Za-z]\w*$/, 'is written like /event/Order_Update__e; changes of records come by object: with live: true')
  .refine((topic) => !topic.endsWith('__chn'), { message: 'is a channel of several events: name the topic of one of them' });

/** `Order_Update__e` */
export const eventOfTopic = (topic: string): string => topic.slice('/event/'.length);
