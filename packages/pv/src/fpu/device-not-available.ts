import type { PvContext } from '../context.js'
import { loadTaskSwitched, setTaskSwitched, taskSwitched } from './task-switched.js'

/**
 * do_device_not_available: a #NM is the guest's if it had asked for one by setting TS, which the #NM clears; else the FPU is
 * simply made available.
 */
export function handleDeviceNotAvailable(context: PvContext): 'guest' | 'handled' {
  if (taskSwitched(context)) {
    setTaskSwitched(context, false)
    return 'guest'
  }
  loadTaskSwitched(context)
  return 'handled'
}
