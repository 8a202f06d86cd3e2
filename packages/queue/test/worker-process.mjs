// A worker of its own, for the test of the queue: is given the place, the built package and the module of the setup; with
// `dieAt`, the number of the portion that it has just taken when it is killed.
const { url, queue, setup, lostAfterSeconds, dieAt } = JSON.parse(process.argv[2])
const { startQueueWorker } = await import(queue)
const { searchSetup } = await import(setup)

let taken = 0
const onPortion = () => {
  if (++taken === dieAt) process.kill(process.pid, 'SIGKILL')
}
await startQueueWorker({ url, setup: searchSetup, lostAfterSeconds, onPortion })
process.stdout.write('ready\n')
