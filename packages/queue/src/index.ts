/** Searches over several machines: portions of a level are jobs of BullMQ, on Redis or Valkey. */

export { exploreByQueue, type QueueOptions } from './explore-by-queue.js'
export { type QueueWorker, startQueueWorker, type WorkerOptions } from './queue-worker.js'
